// The networks stored in the page.

/** Decode base64. */
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** All 65,536 numbers of 16 bits (IEEE 754 binary16). */
function float16Table() {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** Decode parameters stored as float32 or float16. */
function parametersOf({ precision, parameters }) {
  const { buffer } = bytesOf(parameters);
  if (precision === 'float32') return new Float32Array(buffer);
  const table = float16Table();
  const codes = new Uint16Array(buffer);
  const numbers = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) numbers[i] = table[codes[i]];
  return numbers;
}

/**
 * Decode a network.
 * @returns {Network}
 */
function networkOf(stored) {
  const parameters = parametersOf(stored);
  const { sizes } = stored;
  let end = 0;
  const next = (count) => {
    end += count;
    return parameters.subarray(end - count, end);
  };
  const weights = sizes.slice(1).map((size, layer) => next(sizes[layer] * size));
  const biases = sizes.slice(1).map((size) => next(size));
  return { ...stored, parameters, weights, biases };
}
