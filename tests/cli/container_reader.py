"""A reader of mote containers written from docs/container-format.md alone, with nothing but the standard library.
It does not compare checksums. Prints what mote-inspect --dump prints, for comparison.

    container_reader.py FILE             one line for each tensor: name, type, rows, cols, bytes
    container_reader.py FILE TENSOR      the tensor's values, a line for each row
"""
import struct
import sys

TYPES = {1: "f32", 2: "f16", 3: "bf16", 16: "q8", 17: "q4"}


def need(condition, what):
    if not condition:
        sys.exit("corrupt: " + what)


def round64(x):
    return (x + 63) // 64 * 64


class Container:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = data = f.read()
        need(len(data) >= 4096 and data[:8] == b"\x89MOTE\r\n\x1a", "magic")
        version, sections, file_bytes, table_offset, table_bytes = struct.unpack_from("<IIQQQ", data, 8)
        need(version == 1 and 1 <= sections <= 64, "version or sections")
        need(file_bytes == len(data), "file_bytes")
        need(table_bytes == 48 * sections and table_offset + table_bytes == file_bytes, "table")
        need(not any(data[64:4096]), "zeros")
        self.sections = {}
        end = None
        for i in range(sections):
            kind, flags, offset, stored, raw = struct.unpack_from("<IIQQQ", data, table_offset + 48 * i)
            need(offset % 64 == 0 and (end is None or offset == round64(end)), "section offset")
            self.sections[kind] = data[offset:offset + stored]
            if kind == 1:
                first = offset
            end = offset + stored
        need(round64(end) == table_offset, "end of sections")
        self.read_directory(self.sections[1], first)

    def read_directory(self, directory, first_section):
        count, zero = struct.unpack_from("<II", directory, 0)
        need(zero == 0, "directory")
        names = 8 + 72 * count
        end = 4096
        self.tensors = {}
        for i in range(count):
            at = 8 + 72 * i
            offset, size = struct.unpack_from("<QQ", directory, at)
            codebook = directory[at + 32:at + 48]
            kind, rank, rows, cols, name_bytes, zero = struct.unpack_from("<IIIIII", directory, at + 48)
            name = directory[names:names + name_bytes].decode("utf-8")
            need(directory[names + name_bytes] == 0 and zero == 0, "name")
            names += name_bytes + 1
            need(offset == round64(end), "tensor offset")
            need(not any(self.data[end:offset]), "padding")
            end = offset + size
            self.tensors[name] = (TYPES[kind], rank, rows, cols, self.data[offset:end], codebook)
        need(names == len(directory) and round64(end) == first_section, "end of directory or tensors")

    def values(self, name):
        kind, rank, rows, cols, data, codebook = self.tensors[name]
        if rank == 1:
            need(len(data) == 4 * rows, "vector")
            yield struct.unpack("<%df" % rows, data)
            return
        blocks = (cols + 31) // 32
        q = round64(32 * blocks)
        panel_bytes = {"f32": 64 * cols, "f16": round64(32 * cols), "bf16": round64(32 * cols),
                       "q8": q + 512 * blocks, "q4": q + 256 * blocks}[kind]
        need(len(data) == (rows + 15) // 16 * panel_bytes, "matrix size")
        for r in range(rows):
            panel, lane = r // 16 * panel_bytes, r % 16
            row = []
            for c in range(cols):
                if kind == "f32":
                    value = struct.unpack_from("<f", data, panel + (16 * c + lane) * 4)[0]
                elif kind == "f16":
                    value = struct.unpack_from("<e", data, panel + (16 * c + lane) * 2)[0]
                elif kind == "bf16":
                    at = panel + (16 * c + lane) * 2
                    value = struct.unpack("<f", b"\0\0" + data[at:at + 2])[0]
                else:
                    scale = struct.unpack_from("<e", data, panel + (16 * (c // 32) + lane) * 2)[0]
                    if kind == "q8":
                        u = data[panel + q + c // 4 * 64 + 4 * lane + c % 4]
                    else:
                        byte = data[panel + q + c // 8 * 64 + 4 * lane + c % 4]
                        u = codebook[byte & 15 if c % 8 < 4 else byte >> 4]
                    value = scale * (u - 128)
                row.append(value)
            yield row


def main():
    container = Container(sys.argv[1])
    if len(sys.argv) == 2:
        for name, (kind, rank, rows, cols, data, _) in container.tensors.items():
            print(name, kind, rank, rows, cols, len(data))
        return
    for row in container.values(sys.argv[2]):
        print(" ".join("%.9g" % value for value in row))


if __name__ == "__main__":
    main()
