"""Free networks for people's joints and boxes, measured on the people that `lite` is measured on."""
