"""Reads a frame from standard input as docs/formats.md lays it out and prints it as JSON."""
import json, struct, sys, uuid

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

frame = sys.stdin.buffer.read()
magic, version, id, instance, *numbers, checksum = struct.unpack(">4s B 3x 16s 16s I I Q Q q I I", frame[:80])
assert magic == b"SHFR" and version == 1, "not a frame of version 1"
assert checksum == crc32c(frame[:76] + frame[80:]), "corrupt"
told = dict(zip(["partition", "count", "sequence", "first_event", "created_at", "size"], numbers))
told |= {"id": str(uuid.UUID(bytes=id)), "instance": str(uuid.UUID(bytes=instance)), "zstd": frame[80:84] == b"\x28\xb5\x2f\xfd"}
try:
    import zstandard  # Python has its own from 3.14 on
    payload = zstandard.ZstdDecompressor().decompress(frame[80:], max_output_size=told["size"])
    lines = [json.loads(line) for line in payload.split(b"\n")[:-1]]
    told["events"] = [line | {"event": event} for line in lines for event in line.pop("events")]
except ImportError:
    pass
json.dump(told, sys.stdout)
