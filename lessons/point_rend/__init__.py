"""PointRend (Kirillov et al., CVPR 2020): a Mask R-CNN with another mask branch.

points        where points are chosen, and what is read there
heads         the coarse mask, and the answer at a point
subdivision   a mask of high resolution from few answers
mask_branch   all of it, in the place of Mask R-CNN's
"""
