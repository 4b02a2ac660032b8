#!/usr/bin/env python3
"""Counts the SIP messages over TCP in a pcap file, without the code under test.

Joins the payloads of each direction by sequence number (first bytes win, no
holes expected), and reads them with regular expressions: start line, header
section, Content-Length. Ethernet only, no tags. Prints one JSON object.
"""
import json
import re
import struct
import sys
from collections import Counter

START = re.compile(rb"(?:[A-Za-z0-9.!%*_+`'~-]+ [A-Za-z][A-Za-z0-9+.-]*:[^ \r\n]+ SIP/2\.0|SIP/2\.0 [1-6]\d\d(?: [^\r\n]*)?)\r\n")
LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d+)[ \t]*\r$", re.I | re.M)


def segments(path):
    data = open(path, "rb").read()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[data[:4]]
    at = 24
    while at < len(data):
        n = struct.unpack_from(order + "I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + n]
        at += 16 + n
        kind, ip = frame[12:14], frame[14:]
        if kind == b"\x08\x00" and ip[9] == 6:
            head = (ip[0] & 15) * 4
            ip, ends = ip[:struct.unpack_from(">H", ip, 2)[0]], (ip[12:16], ip[16:20])
        elif kind == b"\x86\xdd" and ip[6] == 6:
            head = 40
            ip, ends = ip[:40 + struct.unpack_from(">H", ip, 4)[0]], (ip[8:24], ip[24:40])
        else:
            continue
        tcp = ip[head:]
        src, dst, seq = struct.unpack_from(">HHI", tcp)
        yield (ends[0], src, ends[1], dst), seq, tcp[13], tcp[(tcp[12] >> 4) * 4:]


def main():
    streams, first, turn = {}, {}, Counter()
    for way, seq, flags, payload in segments(sys.argv[1]):
        if flags & 2 and first.get(way, seq) != seq:
            turn[way] += 1
        if flags & 2:
            first[way] = seq
            seq += 1
        if payload:
            streams.setdefault((way, turn[way]), []).append((seq, payload))
    count = Counter()
    for parts in streams.values():
        base = parts[0][0]
        joined = b""
        for seq, payload in sorted(((s - base) & 0xffffffff, p) for s, p in parts):
            if seq > len(joined):
                count["holes"] += 1
                break
            joined += payload[len(joined) - seq:]
        at = 0
        while at < len(joined):
            fill = re.compile(rb"[\r\n]+").match(joined, at)
            if fill:
                count["keep-alives"] += 1
                at = fill.end()
                continue
            start, end = START.match(joined, at), joined.find(b"\r\n\r\n", at)
            if not start or end < 0:
                count["not read"] += 1
                break
            length = LENGTH.search(joined, at, end + 2)
            at = end + 4 + (int(length.group(1)) if length else 0)
            count["messages"] += 1
            if at > len(joined):
                count["cut"] += 1
    print(json.dumps(count))


main()
