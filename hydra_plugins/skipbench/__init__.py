"""What Hydra finds at every start: the sweeper and the choices of installed packages. Imports nothing heavy."""
