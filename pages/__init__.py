"""The pages: title, inputs, one engine call, drawing."""
