"""Reads a pack from standard input as docs/formats.md lays it out and prints it as JSON."""
import hashlib, json, sys, uuid

line = sys.stdin.buffer.read().removesuffix(b"\n")
header, found, events = line.partition(b',"events":[')
assert header.startswith(b'{"pack":{') and found and events.endswith(b"]}") and b"\n" not in line, "not a pack"
header = json.loads(header[len(b'{"pack":'):])
assert header["contract"] <= 1, "of a future contract"
assert header["id"] == str(uuid.UUID(bytes=hashlib.sha256(events[:-2]).digest()[:16])), "corrupt"
events = json.loads(b"[" + events[:-1])
frames = [frame["id"] for frame in header["frames"] for _ in range(frame["count"])]
assert frames == [event["frame_id"] for event in events], "other events than its header says"
json.dump({"pack": header, "events": events}, sys.stdout)
