// The networks stored in the page.

/** Decode base64. */
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Decode parameters stored as float32 or float16. */
function parametersOf({ precision, parameters }) {
  const { buffer } = bytesOf(parameters);
  if (precision === 'float32') return new Float32Array(buffer);
  // Moved to the places they have in a float32, the bits of a float16 make a number that is 2^112 times too small.
  const bits = new Uint32Array(new Uint16Array(buffer)).map((half) => ((half & 0x8000) << 16) | ((half & 0x7fff) << 13));
  return new Float32Array(bits.buffer).map((value) => value * 2 ** 112);
}

/**
 * Decode a network.
 * @returns {Network}
 */
function networkOf(stored) {
  return { ...stored, ...splitParameters(parametersOf(stored), stored.sizes) };
}
