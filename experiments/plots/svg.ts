// Charts as SVG, drawn by Vega-Lite without a browser.
import type { TopLevelSpec } from "vega-lite";
import type { Axis, Chart } from "./chart.ts";

/** The text of an SVG file. Vega is loaded here and not before: it takes half a second. */
export async function renderSvg(chart: Chart): Promise<string> {
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  const view = new View(parse(compile(specOf(chart)).spec), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

function specOf({ title, x, y, series }: Chart): TopLevelSpec {
  const values = series.flatMap(({ name, points, mark }) => points.map((point) => ({ ...point, series: name, mark })));
  const of = (axis: Axis, field: "x" | "y") => ({
    field,
    type: "quantitative" as const,
    title: axis.label,
    scale: axis.scale === "log" ? { type: "log" as const, nice: false } : { zero: false, nice: true },
  });
  const names = series.map(({ name }) => name);
  const legend = names.length > 1 ? { title: null, symbolType: "stroke", symbolStrokeWidth: 3 } : null;
  return {
    title,
    width: 640,
    height: 400,
    background: "white",
    data: { values },
    encoding: {
      // 1G, not 1,000,000,000.
      x: { ...of(x, "x"), axis: { format: "~s" } },
      color: {
        field: "series",
        type: "nominal",
        scale: { domain: names, scheme: names.length > 10 ? "tableau20" : "tableau10" },
        legend,
        sort: null,
      },
    },
    layer: [
      { mark: { type: "line", strokeWidth: 1.5 }, encoding: { y: of(y, "y") } },
      {
        transform: [{ filter: "datum.mark === 'points'" }],
        mark: { type: "point", filled: true, size: 45, opacity: 1 },
        encoding: { y: of(y, "y") },
      },
      {
        transform: [{ filter: "isValid(datum.low)" }],
        mark: { type: "rule", strokeWidth: 1.2 },
        encoding: { y: { ...of(y, "y"), field: "low" }, y2: { field: "high" } },
      },
    ],
    config: { view: { stroke: "#ddd" }, axis: { gridColor: "#eee" }, font: "sans-serif" },
  };
}
