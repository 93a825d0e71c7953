"""Reading at a place of an open file, without moving it where the system can do so."""
import os

if hasattr(os, 'pread'):
    def read_at(file, size, offset):
        """At most ``size`` bytes of an unbuffered binary file from a byte on; processes that share it do not meet."""
        return os.pread(file.fileno(), size, offset)
else:  # Windows, where no process is forked and no file is shared
    def read_at(file, size, offset):
        """At most ``size`` bytes of an unbuffered binary file from a byte on."""
        file.seek(offset)
        return file.read(size)
