/**
 * The order of keys: that of their UTF-8 bytes, which is how LMDB and etcd sort them.
 *
 * JavaScript compares UTF-16 code units instead. The two differ only above U+D7FF, where a surrogate
 * (0xD800–0xDFFF, for code points past 0xFFFF) must sort after 0xE000–0xFFFF.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x < 0xd800 || y < 0xd800 ? x - y : rank(x) - rank(y);
  }
  return a.length - b.length;
}

const rank = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit + 0x2000);

/** True when `key` stands after every key that begins with `prefix`. */
export function isPast(key: string, prefix: string): boolean {
  return !key.startsWith(prefix) && compareKeys(key, prefix) > 0;
}
