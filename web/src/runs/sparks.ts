/** Small curves of the return, asked for after the list, in one request for many runs. */
import { signal } from '@preact/signals'
import type { RunRow, Sparkline } from '../messages'
import { getJson } from '../shell/api'

export const sparks = signal<ReadonlyMap<string, Sparkline>>(new Map())
const known = new Map<string, number | null>()
const AT_ONCE = 40

/** Ask for the curves of those rows that have grown since. */
export function wantSparks(rows: readonly RunRow[]): void {
  const wanted = rows.filter((row) => known.get(row.id) !== row.timesteps)
  for (const row of wanted) known.set(row.id, row.timesteps)
  for (let i = 0; i < wanted.length; i += AT_ONCE) {
    const ids = wanted.slice(i, i + AT_ONCE).map((row) => encodeURIComponent(row.id)).join(',')
    getJson<Sparkline[]>('sparklines', { runs: ids }).then(
      (found) => {
        sparks.value = new Map([...sparks.value, ...found.map((spark) => [spark.id, spark] as const)])
      },
      () => wanted.forEach((row) => known.delete(row.id)), // the next look asks again
    )
  }
}
