/**
 * Gives what was freed back to the system, on a thread of its own; some milliseconds for each 100 MB. Undefined where
 * libc cannot (musl's), or koffi has no build.
 */
export async function loadMallocTrim(): Promise<(() => Promise<void>) | undefined> {
  try {
    const { default: koffi } = await import("koffi");
    // A null name is the program itself, which has libc in it whatever its file is called here.
    const trim = koffi.load(null).func("int malloc_trim(size_t pad)");
    return () => new Promise((resolve) => trim.async(0, () => resolve()));
  } catch {
    return undefined;
  }
}
