"""HTTP in, HTTP out: routes check and translate, and leave the work to the rooms below."""
