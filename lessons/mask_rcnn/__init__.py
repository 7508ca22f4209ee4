"""Mask R-CNN (He et al., ICCV 2017), in its historical forms, as configurations of the same parts.

anchors     the boxes that every place starts from          boxes.encode, boxes.decode: from them to objects
matching    which of them stand for which object
rpn         where is something? objectness, proposals
roi_align   a map of one size for a box of any size
box_head    what is it, and where are its edges?
mask_head   which pixels are its
pasting     from a small mask to the picture's
model       all of it
"""
