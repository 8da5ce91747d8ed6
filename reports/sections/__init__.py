"""The report's sections: each module has a function ``section(view)`` and a template of the same name.

``section`` returns plain data for the template, or nothing where the run has nothing to show.
"""
