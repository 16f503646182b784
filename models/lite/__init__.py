"""The networks of `lite`. A part has a folder and imports no other part but frame; what parts share is here."""
