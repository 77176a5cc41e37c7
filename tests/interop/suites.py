"""Key derivation, Diffie-Hellman groups and the three suites: docs/protocol.md 1, 3.1, 3.2 and 4.1."""
import functools
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

P = b"kdc-chat v1"

TRIPLE_DES, CHACHA20, AES_GCM = 1, 2, 3
SUITE_NAMES = {TRIPLE_DES: "3des-cbc-hmac-sha512", CHACHA20: "chacha20-poly1305", AES_GCM: "aes-256-gcm"}
# number: (bytes of key, IV, tag)
SIZES = {TRIPLE_DES: (24 + 32, 8, 32), CHACHA20: (32, 12, 16), AES_GCM: (32, 12, 16)}
# What an issued key is for each suite.
ISSUED_KEY_SIZE = {TRIPLE_DES: 24, CHACHA20: 32, AES_GCM: 32}

WEAK_DES_KEYS = {bytes.fromhex(key) for key in (
    # The four weak ones, then the six pairs of semi-weak ones.
    "0101010101010101 fefefefefefefefe e0e0e0e0f1f1f1f1 1f1f1f1f0e0e0e0e "
    "011f011f010e010e 1f011f010e010e01 01e001e001f101f1 e001e001f101f101 01fe01fe01fe01fe fe01fe01fe01fe01 "
    "1fe01fe00ef10ef1 e01fe01ff10ef10e 1ffe1ffe0efe0efe fe1ffe1ffe0efe0e e0fee0fef1fef1fe fee0fee0fef1fef1").split()}


class DoesNotOpen(Exception):
    """A sealed thing whose tag is wrong, or which is too short to have one."""


def u64(number):
    return number.to_bytes(8, "big")


def sha512(data):
    return hashlib.sha512(data).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha512")


def extract(salt, ikm):
    return mac(salt, ikm)


def expand(prk, info, length):
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = mac(prk, block + info + bytes([counter]))
        output += block
        counter += 1
    return output[:length]


# --- Groups ------------------------------------------------------------------------------------------------------

class Group:
    """One of RFC 7919, from its formula: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1."""

    def __init__(self, number, bits, x, exponent_bits):
        self.number = number
        self.name = f"ffdhe{bits}"
        self.length = bits // 8
        self.exponent_bits = exponent_bits
        self.p = 2**bits - 2**(bits - 64) + (floor_of_e_times_power_of_two(bits - 130) + x) * 2**64 - 1

    def new_private(self):
        while True:
            private = secrets.randbits(self.exponent_bits)
            if private >= 2:
                return private

    def public(self, private):
        return pow(2, private, self.p).to_bytes(self.length, "big")

    def accepts(self, public):
        return len(public) == self.length and 1 < int.from_bytes(public, "big") < self.p - 1

    def shared(self, private, public):
        return pow(int.from_bytes(public, "big"), private, self.p).to_bytes(self.length, "big")


def floor_of_e_times_power_of_two(bits):
    guard = 64
    term = total = 1 << (bits + guard)
    divisor = 1
    while term:
        term //= divisor
        total += term
        divisor += 1
    return total >> guard


GROUPS = {group.number: group for group in (
    Group(0x0100, 2048, 560316, 225), Group(0x0101, 3072, 2625351, 275), Group(0x0102, 4096, 5736041, 325),
    Group(0x0103, 6144, 15705020, 375), Group(0x0104, 8192, 10965728, 400))}
GROUP_BY_NAME = {group.name: group for group in GROUPS.values()}


# --- Suites ------------------------------------------------------------------------------------------------------

def with_odd_parity(key):
    return bytes(byte & 0xfe | (bin(byte >> 1).count("1") + 1) % 2 for byte in key)


def is_good_triple_des_key(key):
    parts = [key[at:at + 8] for at in (0, 8, 16)]
    return (len(key) == 24 and with_odd_parity(key) == key and len(set(parts)) == 3
            and not WEAK_DES_KEYS.intersection(parts))


def is_good_issued_key(suite, key):
    return len(key) == ISSUED_KEY_SIZE[suite] and (suite != TRIPLE_DES or is_good_triple_des_key(key))


def derive(suite, secret, info):
    """(key, IV)"""
    key_size, iv_size, _ = SIZES[suite]
    for counter in range(256):
        made = expand(secret, info + bytes([counter]), key_size + iv_size)
        key, iv = made[:key_size], made[key_size:]
        if suite != TRIPLE_DES:
            return key, iv
        key = with_odd_parity(key[:24]) + key[24:]
        if is_good_triple_des_key(key[:24]):
            return key, iv
    raise AssertionError("256 weak keys in a row")


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def nonce_of(iv, n):
    return xor(iv, bytes(4) + u64(n))


@functools.lru_cache(maxsize=16)
def block_cipher(key):
    """A record key serves for many records, and setting up is most of the work."""
    return Cipher(algorithms.TripleDES(key), modes.ECB()).encryptor()


def cbc_iv_of(key, iv, n):
    return block_cipher(key[:24]).update(xor(iv, u64(n)))


def triple_des_tag(key, ad, cbc_iv, ciphertext):
    return mac(key[24:], ad + cbc_iv + ciphertext + u64(8 * len(ad)))[:32]


AEADS = {CHACHA20: aead.ChaCha20Poly1305, AES_GCM: aead.AESGCM}


def seal(suite, key, iv, n, ad, plaintext):
    if suite != TRIPLE_DES:
        return AEADS[suite](key).encrypt(nonce_of(iv, n), plaintext, ad)
    cbc_iv = cbc_iv_of(key, iv, n)
    padding = 8 - len(plaintext) % 8
    cbc = Cipher(algorithms.TripleDES(key[:24]), modes.CBC(cbc_iv)).encryptor()
    ciphertext = cbc.update(plaintext + bytes([padding]) * padding) + cbc.finalize()
    return ciphertext + triple_des_tag(key, ad, cbc_iv, ciphertext)


def unseal(suite, key, iv, n, ad, sealed):
    """Raises DoesNotOpen."""
    if suite != TRIPLE_DES:
        try:
            return AEADS[suite](key).decrypt(nonce_of(iv, n), sealed, ad)
        except (InvalidTag, ValueError) as error:
            raise DoesNotOpen(SUITE_NAMES[suite]) from error
    ciphertext, tag = sealed[:-32], sealed[-32:]
    if len(tag) != 32 or not ciphertext or len(ciphertext) % 8:
        raise DoesNotOpen("its length is impossible")
    cbc_iv = cbc_iv_of(key, iv, n)
    if not hmac.compare_digest(tag, triple_des_tag(key, ad, cbc_iv, ciphertext)):
        raise DoesNotOpen("the tag is wrong")
    cbc = Cipher(algorithms.TripleDES(key[:24]), modes.CBC(cbc_iv)).decryptor()
    padded = cbc.update(ciphertext) + cbc.finalize()
    padding = padded[-1]
    if not 1 <= padding <= 8 or padded[-padding:] != bytes([padding]) * padding:
        raise DoesNotOpen("the padding is wrong")
    return padded[:-padding]


def sealed_size(suite, plaintext_size):
    if suite == TRIPLE_DES:
        plaintext_size += 8 - plaintext_size % 8
    return plaintext_size + SIZES[suite][2]
