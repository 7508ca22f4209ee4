"""COCO's 80 classes in the order of their category ids, so that label 1 is person; and those ids."""

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse",
    "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie",
    "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
    "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon",
    "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse",
    "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # categories that were planned and never annotated
COCO_CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in UNUSED)

# By category id, 1 to 90, as torchvision's models label; "N/A" where an id was planned and never annotated.
COCO_CLASSES_WITH_GAPS = tuple(
    COCO_CLASSES[COCO_CATEGORY_IDS.index(number)] if number in COCO_CATEGORY_IDS else "N/A"
    for number in range(1, 91)
)
