// Power laws through measured points: y = factor x^exponent, by least squares of the logarithms.

export interface PowerLaw {
  readonly exponent: number;
  readonly factor: number;
  /** Share of the variance of log y that the law explains; 1 where the points lie on it. */
  readonly rSquared: number;
}

/** Points are pairs above 0, at least two different x. */
export function powerLaw(points: readonly (readonly [x: number, y: number])[]): PowerLaw {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  if (logs.some(([x, y]) => !Number.isFinite(x) || !Number.isFinite(y))) throw new Error("a power law goes through positive points");
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [meanX, meanY] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  // Sum over the points of the products of two deviations.
  const sum = (product: (dx: number, dy: number) => number) => logs.reduce((total, [x, y]) => total + product(x - meanX, y - meanY), 0);
  const [sxx, sxy, syy] = [sum((dx) => dx * dx), sum((dx, dy) => dx * dy), sum((_dx, dy) => dy * dy)];
  if (sxx === 0) throw new Error("a power law needs two different x");
  const exponent = sxy / sxx;
  return { exponent, factor: Math.exp(meanY - exponent * meanX), rSquared: syy === 0 ? 1 : (sxy * sxy) / (sxx * syy) };
}
