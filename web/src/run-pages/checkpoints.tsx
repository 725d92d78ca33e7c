import type { CheckpointRow } from '../messages'
import type { PageProps } from '../shell/page'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { Command } from '../shell/copy'
import { bytes, figure, moment, whole } from '../shell/format'
import { Failure, Notice, Waiting } from '../shell/notices'
import { href, param, setParams } from '../shell/route'
import { Said, said } from '../shell/said'
import { producedBy } from './produced'
import { checkpoint as t } from './words'
import './run-pages.css'

const open = param('open')

export default function CheckpointsPage({ run }: PageProps) {
  const answer = useAnswer<CheckpointRow[]>(at`runs/${run}/checkpoints`, {}, 10_000)
  const rows = answer.value.value
  if (!rows) return answer.value.failure ? <Failure error={answer.value.failure} again={answer.again} /> : <Waiting />
  if (!rows.length) return <Notice title={t('none')}>{t('noneSays')}</Notice>
  const shown = rows.find((row) => row.name === open.value) ?? rows.find((row) => row.verified !== false) ?? rows[0]
  return (
    <div class="page split">
      <div class="scroll" tabIndex={0} role="region" aria-label={t('table')}>
        <table>
          <thead>
            <tr>
              <th>{t('name')}</th><th class="num">{t('timestep')}</th><th class="num">{t('return')}</th>
              <th>{t('exact')}</th><th>{t('verified')}</th><th class="num">{t('size')}</th><th>{t('made')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} class={row === shown ? 'current' : ''}>
                <td class="name">
                  <button class="link" aria-pressed={row === shown} onClick={() => setParams({ open: row.name })}>{row.name}</button>
                  {row.kind !== 'checkpoint' && <span class="tag">{t(row.kind === 'best' ? 'kindBest' : 'kindFinal')}</span>}
                </td>
                <td class="num">{whole(row.timestep)}</td>
                <td class="num">{figure(row.return_mean)}</td>
                <td><Exact row={row} /></td>
                <td><Verified row={row} /></td>
                <td class="num">{bytes(row.size_bytes)}</td>
                <td class="when">{moment(row.made_unix)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown && (
        <aside class="chart detail">
          <h2>{t('commands')}</h2>
          <p><b>{shown.name}</b></p>
          {shown.error && <p class="bad"><Said text={shown.error} /></p>}
          <Produced run={run} row={shown} rows={rows} />
          {shown.verified === false ? (
            <p>{t('useAnother')}</p>
          ) : (
            <>
              <h3>{t('resume')} <small>{t('resumeSays')}</small></h3>
              <Command text={shown.resume} />
              <h3>{t('fork')} <small>{t('forkSays')}</small></h3>
              <Command text={shown.fork} />
            </>
          )}
          {shown.lacks.length > 0 && (
            <>
              <h3>{t('lacks')}</h3>
              <ul class="plain">{shown.lacks.map((what) => <li key={what}><Said text={what} /></li>)}</ul>
            </>
          )}
          <p class="muted">{t('program')}</p>
        </aside>
      )}
    </div>
  )
}

/** The way to what a model did: its policy acted from its timestep on. */
function Produced({ run, row, rows }: { run: string; row: CheckpointRow; rows: readonly CheckpointRow[] }) {
  const made = producedBy(row, rows)
  if (!made) return null
  const window = { from: String(made.from), to: String(made.to) }
  return (
    <>
      <h3>{t('watch')} <small>{t(made.last ? 'watchLast' : 'watchSays')}</small></h3>
      <p class="ways">
        <a href={href('gallery', run, window)}>{t('gallery')}</a>
        {(['worst', 'median', 'best'] as const).map((name) => <a key={name} href={href('episode', run, window, [name])}>{t(name)}</a>)}
      </p>
    </>
  )
}

function Exact({ row }: { row: CheckpointRow }) {
  if (row.exact) return <span class="good">{t('exactly')}</span>
  if (row.timestep === null) return <span class="muted">{row.verified ? t('weights') : '–'}</span>
  return <span class="warn" title={row.lacks.map(said).join('\n')}>{t('partly', { count: row.lacks.length })}</span>
}

function Verified({ row }: { row: CheckpointRow }) {
  if (row.verified === null) return <span class="muted">{t('unchecked')}</span>
  return row.verified ? <span class="good">{t('whole')}</span> : <span class="bad" title={said(row.error ?? '')}>{t('damaged')}</span>
}
