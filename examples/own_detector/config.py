"""``mlaface detect photo.jpg --detector examples/own_detector/config.py``"""
custom_imports = dict(imports=['examples.own_detector.centerface'])
detector = dict(type='centerface', score=0.5)
