/** Name and state of the run that a page shows. */
import { useEffect } from 'preact/hooks'
import { runs, watchRuns } from './store'
import { State } from './state'

export function RunBadge({ run }: { run: string }) {
  useEffect(watchRuns, [])
  const found = runs.value?.find((each) => each.id === run)
  return (
    <span class="badge">
      <b title={run}>{run}</b>
      {found && <State state={found.state} />}
    </span>
  )
}
