"""The processes between the app and its executions. Standard library only, single-threaded.

    main        L, one for an app: takes jobs, hands each to a supervisor, reaps, ends with the app
    pool        the supervisors, which stay for the next job
    supervisor  S: has an execution started and watched, cleans up behind it, answers the app
    starting    how it starts one: as its child, or through a zygote
    ways        what its child does then: bubblewrap, Landlock, or nothing around it
    zygotes     processes in sandboxes that fork ready-made executions, see inside/enter.py
    watch       the limits, ending what passes one, and what an execution writes
    cgroups     the kernel's own limits on memory and processes, where we may set them
    users       user ids that nobody else on this machine uses at the same time

They are processes of their own because bubblewrap's --die-with-parent goes by the thread that
started it, because somebody has to reap what is left, and because they outlive a killed app.
"""
