"""Where workers run: started by ``launching``, held by one of ``tiers``, each probed first.

``grants`` says what a task may see; ``bubblewrap`` (tier A) or ``landlock`` with ``seccomp``
(tier B, applied by the worker itself in ``inside``) sees to it. ``SECURITY.md`` says what remains.
"""
