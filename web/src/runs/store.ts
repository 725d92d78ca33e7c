/** The list of runs, asked for again while somebody looks. */
import { signal } from '@preact/signals'
import type { RunList, RunRow } from '../messages'
import { getJson } from '../shell/api'

export const runs = signal<RunRow[] | null>(null)
export const folder = signal('')
export const failure = signal<unknown>(null)
const PERIOD_MS = 2000
let watchers = 0
let timer = 0

async function look(): Promise<void> {
  try {
    const list = await getJson<RunList>('runs')
    runs.value = list.runs
    folder.value = list.folder
    failure.value = null
  } catch (error) {
    failure.value = error
  }
}

async function turn(): Promise<void> {
  if (!document.hidden) await look()
  if (watchers > 0) timer = window.setTimeout(turn, PERIOD_MS)
}

/** Keep the list fresh until the returned function is called. */
export function watchRuns(): () => void {
  if (watchers++ === 0) void turn()
  return () => {
    if (--watchers === 0) clearTimeout(timer)
  }
}
