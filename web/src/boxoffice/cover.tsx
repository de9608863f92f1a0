// Covers of films and events that have no picture: a quiet pattern that is always the same for one title.

const HUES = [262, 12, 172, 212, 332, 32, 142, 292] as const;

function hashed(text: string): number {
  let hash = 2166136261;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  return hash >>> 0;
}

/** Words that say nothing about a film, in some languages. */
const SMALL = new Set('a an and at de del der des die du el en et la las le les los of on the to und y'.split(' '));

/** Up to two letters that stand for a title. */
export function initials(title: string): string {
  const words = title.split(/[^\p{L}\p{N}'’]+/u).filter((word) => word && !SMALL.has(word.toLowerCase()));
  return words.slice(0, 2).map((word) => [...word][0]!.toUpperCase()).join('') || '★';
}

/**
 * The cover of a film or an event.
 *
 * @param poster address of a picture; only pictures of this server are shown
 */
export function Cover({ title, poster, wide = false }: { title: string; poster?: string | null; wide?: boolean }) {
  if (poster && new URL(poster, document.baseURI).origin === location.origin) {
    return <img class={`cover ${wide ? 'cover-wide' : ''}`} src={poster} alt="" loading="lazy" />;
  }
  const hash = hashed(title);
  const hue = HUES[hash % HUES.length]!;
  const circles = [0, 1, 2, 3].map((number) => {
    const part = (hash >>> (number * 7)) & 127;
    return { x: 20 + ((part * 37) % 260), y: 40 + ((part * 53) % 340), r: 50 + (part % 90) };
  });
  const [width, height] = wide ? [480, 200] : [300, 420];
  return (
    <svg class={`cover ${wide ? 'cover-wide' : ''}`} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" preserveAspectRatio="xMidYMid slice">
      <rect width={width} height={height} fill={`hsl(${hue} 42% 24%)`} />
      {circles.map(({ x, y, r }, index) => (
        <circle key={index} cx={x * (width / 300)} cy={y * (height / 420)} r={r} fill={`hsl(${hue + index * 22} 58% ${34 + index * 7}%)`} fill-opacity="0.55" />
      ))}
      <text x="24" y={height - 28} class="cover-letters">
        {initials(title)}
      </text>
    </svg>
  );
}
