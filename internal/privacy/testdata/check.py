#!/usr/bin/env python3
"""Reads vectors.json by docs/privacy.md, with another program's cryptography (OpenSSL's):

    python3 check.py vectors.json

It opens every sealed value and address, and makes every hash anew."""
import base64, hashlib, hmac, ipaddress, json, re, sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

LABELS = "sipcmbeat privacy 1 "


def hkdf(key, label, n):  # RFC 5869, without salt
    prk = hmac.digest(bytes(32), key, "sha256")
    out = block = b""
    for i in range(1, n // 32 + 2):
        block = hmac.digest(prk, block + (LABELS + label).encode() + bytes([i]), "sha256")
        out += block
    return out[:n]


def text(b):
    return base64.b32hexencode(b).decode().rstrip("=").lower()


def raw(s):
    return base64.b32hexdecode(s.upper() + "=" * (-len(s) % 8))


class Key:
    def __init__(self, key):
        self.key = key
        self.siv = AESSIV(hkdf(key, "siv", 64))
        pfx = hkdf(key, "pfx", 32)
        self.aes = [Cipher(algorithms.AES(k), modes.ECB()).encryptor() for k in (pfx[:16], pfx[16:])]

    def open(self, label, s):
        b = raw(s)
        assert b[0] == 1 and text(b) == s, s
        if len(b) == 17:
            return b""
        return self.siv.decrypt(b[1:], [(LABELS + label).encode()])

    def hash(self, label, b):
        return hmac.digest(hkdf(self.key, "hmac " + label, 32), b, "sha256")[:16]

    def open_address(self, s):
        a = ipaddress.ip_address(s)
        width, prefix, n = (32, 0xFFFF, 96) if a.version == 4 else (128, 0, 0)
        out = 0
        for i in range(width - 1, -1, -1):
            block = (1 << n | prefix).to_bytes(16, "big")
            flip = (self.aes[0].update(block)[15] ^ self.aes[1].update(block)[15]) & 1
            bit = (int(a) >> i & 1) ^ flip
            out, prefix, n = out << 1 | bit, prefix << 1 | bit, n + 1
        return str(ipaddress.ip_address(out.to_bytes(width // 8, "big")))

    def hash_address(self, s):
        a = ipaddress.ip_address(s)
        return str(ipaddress.ip_address(b"\xfd" + self.hash("address", a.packed)[:15]))


def is_address(s):
    try:
        ipaddress.ip_address(s)
        return True
    except ValueError:
        return False


def open_host(key, s):
    inner = s.strip("[]")
    if is_address(inner):
        clear = key.open_address(inner).encode()
    else:
        clear = key.open("host", inner)
    return b"[" + clear + b"]" if b":" in clear else clear


def open_tail(key, s):
    if ";sealed=" in s:
        return key.open("tail", s.rsplit(";sealed=", 1)[1])
    out = b""
    for part in s.split(";")[1:]:
        name, _, value = part.partition("=")
        known = {"tag": "tag", "branch": "plain"}.get(name)
        if known:
            part = name.encode() + b"=" + key.open(known, value)
        elif name in ("received", "maddr"):
            clear = open_host(key, value)
            part = name.encode() + b"=" + (clear if value[0] == "[" else clear.strip(b"[]"))
        else:
            part = part.encode()
        out += b";" + part
    return out


def open_uri(key, s):
    if ":" not in s:
        return key.open("plain", s)
    scheme, rest = s.split(":", 1)
    out = scheme.encode() + b":"
    if scheme.lower() == "tel":
        user, tail = re.match(r"([^;]*)(.*)$", rest).groups()
        return out + key.open("user", user) + open_tail(key, tail)
    if scheme.lower() not in ("sip", "sips"):
        return out + key.open("plain", rest)
    user, password, host, port, tail = re.match(r"(?:([^:@]*)(:[^@]*)?@)?(\[[^]]*\]|[^:;]*)(:\d*)?(.*)$", rest).groups()
    if user is not None:
        out += key.open("user", user) if user else b""
        if password:
            out += b":" + key.open("plain", password[1:])
        out += b"@"
    return out + open_host(key, host) + (port or "").encode() + open_tail(key, tail)


def open_name_addr(key, s):
    if "<" not in s:
        return key.open("plain", s) if ":" not in s else open_uri(key, s)
    name, uri, tail = re.match(r'(?:"([^"]*)" )?<([^>]*)>(.*)$', s).groups()
    return (key.open("name", name) if name else b"") + b"<" + open_uri(key, uri) + b">" + open_tail(key, tail)


def open_via(key, s):
    if " " not in s:
        return key.open("plain", s)
    protocol, host, port, tail = re.match(r"(\S+ )(\[[^]]*\]|[^:;]*)(:\d*)?(.*)$", s).groups()
    return protocol.encode() + open_host(key, host) + (port or "").encode() + open_tail(key, tail)


def open_value(key, shape, s):
    if shape in ("address", "host"):
        return open_host(key, s).strip(b"[]") if is_address(s) else key.open(shape, s)
    walk = {"uri": open_uri, "name-addr": open_name_addr, "via": open_via}.get(shape)
    return walk(key, s) if walk else key.open(shape, s)


def main(path):
    rfc = AESSIV(bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"))  # RFC 5297 A.1
    got = rfc.encrypt(bytes.fromhex("112233445566778899aabbccddee"), [bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")])
    assert got.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c", got.hex()

    v = json.load(open(path))
    key = Key(bytes.fromhex(v["key"]))
    bad = 0

    def same(what, got, want):
        nonlocal bad
        if got != want:
            bad += 1
            print(f"{what}: got {got!r}, want {want!r}")

    same("key id", hkdf(key.key, "id", 8).hex(), v["key_id"])
    for a in v["addresses"]:
        clear = ipaddress.ip_address(a["clear"].split("%")[0])
        clear = str(getattr(clear, "ipv4_mapped", None) or clear)
        same(a["clear"], key.open_address(a["encrypt"]), clear)
        same(a["clear"], key.hash_address(clear), a["hmac"])
    for e in v["values"]:
        clear = bytes.fromhex(e["clear_hex"]) if "clear_hex" in e else e["clear"].encode()
        same(e["shape"], open_value(key, e["shape"], e["encrypt"]), clear)
        if e["shape"] in ("plain", "user", "call-id", "tag", "agent", "number"):
            same(e["shape"], text(key.hash(e["shape"], clear)), e["hmac"])
    for h, want in v["digest"].items():
        same("digest", key.hash("digest", bytes.fromhex(h)).hex(), want)
    for number, want in v["token"].items():
        same("token", text(key.hash("token", number.encode())), want)
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        p = v["passphrase"]
        made = Argon2id(salt=bytes.fromhex(p["salt"]), length=32, iterations=3, lanes=4, memory_cost=64 * 1024).derive(p["text"].encode())
        same("passphrase", made.hex(), p["key"])
    except ImportError:
        print("passphrase not checked: this cryptography has no Argon2id")
    print(len(v["values"]), "values,", len(v["addresses"]), "addresses,", bad, "wrong")
    return bad != 0


sys.exit(main(sys.argv[1]))
