import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RunRow } from '../messages'
import { compact, duration, figure, moment, percent, whole } from '../shell/format'
import { useKeys } from '../shell/keys'
import { Failure, Notice } from '../shell/notices'
import { go, href, route, setParams } from '../shell/route'
import { Said } from '../shell/said'
import { Sparkline } from './sparkline'
import { State } from './state'
import { failure, folder, runs, watchRuns } from './store'
import { matching, sorted, type Column } from './table'
import { t } from './words'

const cursor = signal(0)

export default function RunsPage() {
  const search = useRef<HTMLInputElement>(null)
  useEffect(watchRuns, [])
  const { params } = route.value
  const query = params.get('q') ?? ''
  const chosen = (params.get('runs') ?? '').split(',').filter(Boolean)
  const order = (params.get('sort') ?? 'started') as Column
  const all = runs.value
  const rows = all ? sorted(matching(all, query), order) : []
  const at = Math.min(cursor.value, rows.length - 1)

  const toggle = (id: string) =>
    setParams({ runs: (chosen.includes(id) ? chosen.filter((c) => c !== id) : [...chosen, id]).join(',') })
  const compare = () => chosen.length && go(href('compare', null, { runs: chosen.join(',') }))
  const latest = useRef({ rows, at, toggle, compare })
  latest.current = { rows, at, toggle, compare }
  const move = (by: number) => {
    const { rows, at } = latest.current
    cursor.value = Math.max(0, Math.min(rows.length - 1, at + by))
    document.querySelector<HTMLElement>(`[data-row="${cursor.value}"] a`)?.focus()
  }
  const current = () => latest.current.rows[latest.current.at]?.id
  useKeys([
    { key: '/', says: () => t('keySearch'), act: () => search.current?.focus() },
    { key: 'j', says: () => t('keyDown'), act: () => move(1) },
    { key: 'k', says: () => t('keyUp'), act: () => move(-1) },
    { key: 'o', says: () => t('keyOpen'), act: () => { const id = current(); if (id) go(href('live', id)) } },
    { key: 'x', says: () => t('keySelect'), act: () => { const id = current(); if (id) latest.current.toggle(id) } },
    { key: 'c', says: () => t('keyCompare'), act: () => latest.current.compare() },
  ])

  if (!all) return failure.value ? <Failure error={failure.value} /> : null
  if (!all.length)
    return (
      <Notice title={t('none')}>
        <p>{t('noneSays', { folder: folder.value })}</p>
        <pre>make train{'\n'}python train.py --run train --total_timesteps 5_000_000</pre>
      </Notice>
    )
  return (
    <div class="page">
      <div class="tools">
        <input ref={search} type="search" value={query} placeholder={t('search')} aria-label={t('search')}
          onInput={(event) => { cursor.value = 0; setParams({ q: event.currentTarget.value }) }} />
        <span class="muted" role="status">{t('found', { count: rows.length, all: all.length, folder: folder.value })}</span>
        <span class="grow" />
        {chosen.length > 0 && (
          <>
            <span class="muted">{t('selected', { count: chosen.length })}</span>
            <button onClick={() => setParams({ runs: null })}>{t('clear')}</button>
            <button class="main" onClick={compare}>{t('compare', { count: chosen.length })}</button>
          </>
        )}
      </div>
      {rows.length === 0 ? (
        <Notice title={t('noMatch', { query })}>{t('noMatchSays')}</Notice>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('runsTable')}>
          <table class="runs">
            <thead>
              <tr>
                <th class="narrow"><span class="unseen">{t('selected', { count: chosen.length })}</span></th>
                {COLUMNS.map(([name, title, kind]) => (
                  <th key={name} class={kind} aria-sort={order === name ? 'descending' : undefined}>
                    <button class="head" onClick={() => setParams({ sort: name })} title={`${LAST.has(name) ? `${t('last100')} ` : ''}${t('sortBy', { column: t(title) })}`}>{t(title)}</button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, i) => (
                <Row key={row.id} row={row} i={i} current={i === at} chosen={chosen.includes(row.id)} toggle={toggle} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}

const COLUMNS = [
  ['name', 'run', ''],
  ['state', 'state', ''],
  ['return', 'return', 'spark-cell'],
  ['success', 'success', 'num'],
  ['progress', 'progress', ''],
  ['speed', 'speed', 'num'],
  ['left', 'left', 'num'],
  ['started', 'started', 'when'],
] as const

const LAST: ReadonlySet<Column> = new Set(['return', 'success'])

interface RowProps {
  row: RunRow
  i: number
  current: boolean
  chosen: boolean
  toggle: (id: string) => void
}

function Row({ row, i, current, chosen, toggle }: RowProps) {
  const [ago] = useState(() => Date.now() / 1000)
  return (
    <tr data-row={i} class={current ? 'current' : ''}>
      <td class="narrow">
        <input type="checkbox" checked={chosen} onChange={() => toggle(row.id)} aria-label={t('select', { run: row.id })} />
      </td>
      <td class="name">
        <a href={href('live', row.id)}>{row.id}</a>
        <small>
          {[row.algorithm, row.environment, row.num_envs && t('envs', { count: row.num_envs }), row.attempts > 1 && t('attempts', { count: row.attempts })].filter(Boolean).join(' · ')}
          {row.tags.map((tag) => <span class="tag" key={tag}>{tag}</span>)}
          {row.note && <span class="note" title={row.note}>{row.note}</span>}
        </small>
      </td>
      <td>
        <State state={row.state} />
        {row.error && <small class="bad"><Said text={row.error} /></small>}
        {row.state === 'stalled' && row.seen_unix && <small>{t('silent', { ago: duration(ago - row.seen_unix) })}</small>}
      </td>
      <td class="spark-cell">
        {row.returns.length > 1 && <Sparkline values={row.returns} label={t('spark', { first: figure(row.returns.find((v) => v !== null)), last: figure(row.return_mean) })} />}
        <span class="num">{figure(row.return_mean)}</span>
      </td>
      <td class="num">{percent(row.success)}</td>
      <td class="progress-cell"><Progress row={row} /></td>
      <td class="num">{row.state === 'running' ? whole(row.steps_per_s) : '–'}</td>
      <td class="num">{row.left_s === null ? '–' : duration(row.left_s)}</td>
      <td class="when">{moment(row.created_unix)}</td>
    </tr>
  )
}

function Progress({ row }: { row: RunRow }) {
  if (row.timesteps === null) return <>–</>
  const share = row.planned ? Math.min(1, row.timesteps / row.planned) : null
  return (
    <>
      {share !== null && <progress max={1} value={share} aria-label={percent(share)} />}
      <small>
        {compact(row.timesteps)} {row.planned !== null && t('of', { planned: compact(row.planned) })}
      </small>
    </>
  )
}
