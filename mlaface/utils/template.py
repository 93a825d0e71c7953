"""Where the parts of an aligned face are."""
import numpy as np

# the five points of ArcFace's alignment at 112 x 112: eyes, nose, corners of the mouth; x and y in pixels
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])
