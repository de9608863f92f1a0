// Charts over time: uPlot in the colours of the page. A screen reader is told the latest values.

import { useEffect, useRef, useState } from 'preact/hooks';
import '../common/language';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import './ops.css';

export interface Line {
  label: string;
  /** Name of a colour of the theme, e.g. "--seat-free". */
  colour: string;
  values: readonly (number | null)[];
  filled?: boolean;
  stepped?: boolean;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const calendar = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/** Times for the axis: with the day if they span more than one. */
function axisTimes(times: readonly number[]): string[] {
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return times.map((time) => (span > 86_400 ? calendar : clock).format(time * 1000));
}

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Whether the page is dark; draws the component again when that changes. */
export function useDark(): boolean {
  const [is, set] = useState(dark.matches);
  useEffect(() => {
    const changed = (): void => set(dark.matches);
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);
  return is;
}

function optionsOf(element: HTMLElement, lines: readonly Line[], height: number, spark: boolean, shortest: number): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--ink-soft'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(40, element.clientWidth),
    height,
    legend: { show: false },
    cursor: { show: !spark, drag: { x: false, y: false }, points: { size: 6 } },
    ...(spark ? { padding: [2, 0, 2, 0] as [number, number, number, number] } : { padding: [12, 8, 0, 0] as [number, number, number, number] }),
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - shortest), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
    },
    axes: spark ? [{ show: false }, { show: false }] : [{ ...axis, size: 28, space: 90, values: (_plot, times) => axisTimes(times) }, { ...axis, size: 52 }],
    series: [
      {},
      ...lines.map((line): uPlot.Series => {
        const stroke = colour(line.colour);
        const paths = line.stepped ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
        return {
          label: line.label,
          stroke,
          width: spark ? 1.5 : 2,
          points: { show: false },
          ...(line.filled ? { fill: `${stroke}26` } : {}),
          ...(paths ? { paths } : {}),
        };
      }),
    ],
  };
}

/**
 * Lines over time.
 *
 * @param times in seconds since 1970
 * @param height in CSS pixels
 * @param spark whether it is a small line without axes
 * @param shortest time that fills the chart, in seconds; a shorter one is not stretched
 * @param marked a time to mark, e.g. of the playback
 */
export function Chart({
  label,
  times,
  lines,
  height,
  spark = false,
  shortest = 30,
  marked,
}: {
  label: string;
  times: readonly number[];
  lines: readonly Line[];
  height: number;
  spark?: boolean;
  shortest?: number;
  marked?: number | undefined;
}) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const mark = useRef<number | undefined>(undefined);
  const isDark = useDark();
  const kind = lines.map((line) => line.label).join();

  useEffect(() => {
    const box = element.current;
    if (!box) return;
    const options = optionsOf(box, lines, height, spark, shortest);
    options.hooks = {
      draw: [
        (drawn) => {
          if (mark.current === undefined) return;
          const x = Math.round(drawn.valToPos(mark.current, 'x', true));
          drawn.ctx.fillStyle = getComputedStyle(box).getPropertyValue('--accent');
          drawn.ctx.fillRect(x - devicePixelRatio, drawn.bbox.top, 2 * devicePixelRatio, drawn.bbox.height);
        },
      ],
    };
    const made = new uPlot(options, [[], ...lines.map(() => [])] as unknown as uPlot.AlignedData, box);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: Math.max(40, box.clientWidth), height }));
    resized.observe(box);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [isDark, height, spark, kind]);

  useEffect(() => {
    mark.current = marked;
    plot.current?.setData([times, ...lines.map((line) => line.values)] as unknown as uPlot.AlignedData);
  });

  return <div class={spark ? 'spark' : 'chart'} role="img" aria-label={label} ref={element} />;
}

/** What the colours of a chart mean, with the present values. */
export function Legend({ entries }: { entries: readonly { label: string; colour: string; value: string }[] }) {
  return (
    <ul class="legend">
      {entries.map(({ label, colour, value }) => (
        <li key={label}>
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <rect width="10" height="10" rx="2" fill={`var(${colour})`} />
          </svg>
          {label} <strong>{value}</strong>
        </li>
      ))}
    </ul>
  );
}
