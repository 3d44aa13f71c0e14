"""large_files.py TERN BYTES LIMIT [FORMAT ...]: `tern inspect` of a file of each format that holds that many bytes, sparse on disk,
takes at most LIMIT bytes of memory and sums what the file holds."""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

tern, size, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
block = bytes(1 << 20)
assert size % (1 << 26) == 0
folder = tempfile.TemporaryDirectory()


def zeros_through(step, state):
    for _ in range(size // len(block)):
        state = step(state)
    return state


def digest():
    h = hashlib.sha256()
    for _ in range(size // len(block)):
        h.update(block)
    return h.hexdigest()


def sparse(name, head):
    path = os.path.join(folder.name, name)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(len(head) + size)
    return path


def npy_head(descr, fortran, shape):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def archive(name, members):
    """A zip archive of stored members, with 64-bit sizes: (name, first bytes, whether zeros follow)."""
    path, directory = os.path.join(folder.name, name), b""
    with open(path, "wb") as f:
        for member, head, zeros in members:
            at, n, member = f.tell(), len(head) + size * zeros, member.encode()
            crc = zlib.crc32(head)
            if zeros:
                crc = zeros_through(lambda c: zlib.crc32(block, c), crc)
            extra = struct.pack("<HHQQ", 1, 16, n, n)
            pad = -(at + 30 + len(member) + len(extra) + 4) % 64
            extra += struct.pack("<HH", 0x4246, pad) + b"Z" * pad
            f.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1, len(member),
                                len(extra)) + member + extra + head)
            f.truncate(f.tell() + size * zeros)
            f.seek(0, 2)
            extra = struct.pack("<HHQQQ", 1, 24, n, n, at)
            directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1,
                                     len(member), len(extra), 0, 0, 0, 0, 2**32 - 1) + member + extra
        at, count = f.tell(), len(members)
        f.write(directory)
        end = f.tell()
        f.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(directory), at))
        f.write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        f.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0))
    return path


count = size // 4
number = b"\x8a\x08" + struct.pack("<q", count)  # LONG1
state_dict = (b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
              b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + number + b"tQK\x00" + number +
              b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs.")
header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, size]}}).encode()
gguf = (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"w" + struct.pack("<I", 1) +
        struct.pack("<QIQ", count, 0, 0))
FILES = {
    "safetensors": lambda: sparse("a.safetensors", struct.pack("<Q", len(header)) + header),
    "npy": lambda: sparse("a.npy", npy_head("<f4", False, f"({count},)")),
    "npy, columns first": lambda: sparse("b.npy", npy_head("<f4", True, f"({count // 4096}, 64, 64)")),
    "npy, big endian": lambda: sparse("c.npy", npy_head(">f4", False, f"({count},)")),
    "idx": lambda: sparse("a-idx2", struct.pack(">III", 0x0802, size // 65536, 65536)),
    "gguf": lambda: sparse("a.gguf", gguf + bytes(-len(gguf) % 32)),
    "npz": lambda: archive("a.npz", [("w.npy", npy_head("<f4", False, f"({count},)"), True),
                                     ("v.npy", npy_head("<f4", False, "(0,)"), False)]),
    "pth": lambda: archive("a.pth", [("a/data.pkl", state_dict, False), ("a/data/0", b"", True),
                                     ("a/version", b"3\n", False)]),
}
right, failures = digest(), 0
for name in sys.argv[4:] or FILES:
    path = FILES[name]()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([tern, "inspect", path, "--json"], stdout=out, stderr=out)
        status, used = os.wait4(process.pid, 0)[1:]
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    os.remove(path)
    most = used.ru_maxrss * 1024
    good = status == 0 and any(t["sha256"] == right for t in json.loads(text)["tensors"]) and most <= limit
    print(f"{name}: {most >> 20} MiB", "" if good else "FAILED " + text[:300])
    failures += not good
sys.exit(failures > 0)
