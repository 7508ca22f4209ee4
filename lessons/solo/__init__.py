"""SOLO: segmenting objects by locations (Wang et al., ECCV 2020), and its decoupled forms.

images -> backbone -> p2 ... p6 -> head -> categories, masks       what the network says (heads, coordinates)
boxes, labels, masks -> cells of five grids                        what it should say (targets)
                                             -> loss_mask, loss_category              (losses)
                                             -> boxes, labels, scores, masks          (decode)
"""

from lessons.solo.heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead

__all__ = ["DecoupledSOLOHead", "DecoupledSOLOLightHead", "SOLOHead"]
