"""What runs inside the sandbox. Standard library only: nothing else exists in there.

This package is copied into the sandbox file by file, so it must not import anything of ours from
outside itself.
"""
