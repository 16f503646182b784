"""Pictures, boxes, crops, cameras and joint layouts: pure functions of arrays, nothing asynchronous."""
