"""Pictures for people: Gantt charts, graph drawings, whole scenes and plain text.

Everything here takes plain data and returns a picture or a string; nothing
reads or changes an environment. Imported late, since pygame is.
"""
