"""How text of people and models is read: the parts behind core.replies and core.suite."""
