"""A reader of mote containers written from docs/container-format.md alone, with nothing but the standard library.
It does not compare checksums. Prints what mote-inspect --dump prints, for comparison.

    container_reader.py FILE             one line for each tensor: name, type, rows, cols, bytes
    container_reader.py FILE TENSOR      the tensor's values, a line for each row
"""
import struct
import sys

TYPES = {1: "f32", 2: "f16", 3: "bf16", 16: "q8", 17: "q4", 18: "q6", 19: "q5", 20: "q3",
         24: "q8b", 25: "q4b", 26: "q6b", 27: "q5b", 28: "q3b"}
BITS = {"q8": 8, "q6": 6, "q5": 5, "q4": 4, "q3": 3}
BITS.update({kind + "b": bits for kind, bits in BITS.items()})
CODEBOOK_ENTRIES = {"q4": 16, "q3": 8, "q4b": 16, "q3b": 8}
# (line, first bit, bits) of the last groups; those before them lie in whole fields.
LAST_GROUPS = {
    "q6": {6: ((0, 6, 2), (1, 6, 2), (2, 6, 2)), 7: ((3, 6, 2), (4, 6, 2), (5, 6, 2))},
    "q5": {5: ((0, 5, 3), (3, 5, 2)), 6: ((1, 5, 3), (4, 5, 2)), 7: ((2, 5, 3), (3, 7, 1), (4, 7, 1))},
    "q3": {6: ((0, 6, 2), (2, 6, 1)), 7: ((1, 6, 2), (2, 7, 1))},
}


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
            need(not any(codebook[CODEBOOK_ENTRIES.get(TYPES[kind], 0):]), "codebook")
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
        byte_scales = kind in BITS and kind.endswith("b")
        q = round64((16 if byte_scales else 32) * blocks)
        panel_bytes = {"f32": 64 * cols, "f16": round64(32 * cols), "bf16": round64(32 * cols)}.get(kind)
        if kind in BITS:
            panel_bytes = q + 64 * BITS[kind] * blocks
        panels = (rows + 15) // 16 * panel_bytes
        need(len(data) == panels + (64 if byte_scales else 0), "matrix size")
        if byte_scales:
            unit = struct.unpack_from("<f", data, panels)[0]
            need(not any(data[panels + 4:]), "line of the unit")
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
                    if byte_scales:
                        byte = data[panel + 16 * (c // 32) + lane]
                        exponent, fraction = byte >> 4 & 7, byte & 15
                        scale = (16 + fraction) * 2.0 ** (exponent - 19) if exponent else fraction * 2.0 ** -18
                        scale *= -unit if byte & 128 else unit
                    else:
                        scale = struct.unpack_from("<e", data, panel + (16 * (c // 32) + lane) * 2)[0]
                    group, bits = c % 32 // 4, BITS[kind]
                    fields = 8 // bits
                    pieces = LAST_GROUPS.get(kind[:2], {}).get(group, ((group // fields, group % fields * bits, bits),))
                    quant = shift = 0
                    for line, first, n in pieces:
                        byte = data[panel + q + (c // 32 * bits + line) * 64 + 4 * lane + c % 4]
                        quant |= (byte >> first & (1 << n) - 1) << shift
                        shift += n
                    value = scale * (codebook[quant] - 128 if kind in CODEBOOK_ENTRIES else quant - (1 << bits - 1))
                row.append(value)
            yield row


def main():
    container = Container(sys.argv[1])
    if len(sys.argv) == 2:
        for name, (kind, rank, rows, cols, data, _) in container.tensors.items():
            print(name, kind, rank, rows, cols, len(data))
        return
    for row in container.values(sys.argv[2]):
        print(" ".join("%.9g" % (value + 0.0) for value in row))


if __name__ == "__main__":
    main()
