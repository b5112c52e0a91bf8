"""What is opened after a segmentation: called elements, files for genome browsers, arrays for programs."""
