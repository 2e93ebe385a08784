"""The process between the app and one execution. Standard library only, single-threaded.

It is a process of its own because bubblewrap's --die-with-parent goes by the thread that started
it, because somebody has to reap what is left, and because it outlives a killed app.
"""
