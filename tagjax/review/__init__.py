"""Review by ear: what the machine is not sure of, a person decides on a page of this machine."""
