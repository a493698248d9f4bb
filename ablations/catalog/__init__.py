"""What can be chosen: the choices of conf/, the studies, templates for new ones."""
