const WIDTH = 96
const HEIGHT = 22

/** A curve without axes; gaps stay gaps. */
export function Sparkline({ values, label }: { values: readonly (number | null)[]; label: string }) {
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <path d={sparkPath(values, WIDTH, HEIGHT)} />
    </svg>
  )
}

export function sparkPath(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.filter((value) => value !== null)
  const low = Math.min(...known)
  const span = Math.max(...known) - low || 1
  let pen = 'M'
  return values
    .map((value, i) => {
      if (value === null) {
        pen = 'M'
        return ''
      }
      const x = (i / Math.max(1, values.length - 1)) * (width - 2) + 1
      const y = height - 2 - ((value - low) / span) * (height - 4)
      const point = `${pen}${x.toFixed(1)},${y.toFixed(1)}`
      pen = 'L'
      return point
    })
    .join('')
}
