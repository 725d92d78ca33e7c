import { useRef } from 'preact/hooks'
import type { Fact } from '../messages'
import type { PageProps } from '../shell/page'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { useKeys } from '../shell/keys'
import { Failure, Notice, Waiting } from '../shell/notices'
import { param, setParams } from '../shell/route'
import { config as t } from './words'
import './run-pages.css'

const query = param('q')

export default function ConfigPage({ run }: PageProps) {
  const search = useRef<HTMLInputElement>(null)
  useKeys([{ key: '/', says: () => t('keySearch'), act: () => search.current?.focus() }])
  const answer = useAnswer<Fact[]>(at`runs/${run}/facts`)
  const facts = answer.value.value
  if (!facts) return answer.value.failure ? <Failure error={answer.value.failure} again={answer.again} /> : <Waiting />
  const wanted = query.value.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = facts.filter((fact) => {
    const text = `${fact.section} ${fact.key} ${fact.value}`.toLowerCase()
    return wanted.every((word) => text.includes(word))
  })
  const sections = Map.groupBy(shown, (fact) => fact.section)
  return (
    <div class="page">
      <div class="tools">
        <input ref={search} type="search" value={query.value} placeholder={t('search')} aria-label={t('search')} onInput={(event) => setParams({ q: event.currentTarget.value })} />
        <span class="muted" role="status">{t('found', { count: shown.length, all: facts.length })}</span>
      </div>
      {!shown.length && <Notice title={t('none', { query: query.value })}>{t('noneSays')}</Notice>}
      <div class="facts">
        {[...sections].map(([section, lines]) => (
          <section class="chart" key={section}>
            <h2>{section}</h2>
            <dl>
              {lines.map((fact) => (
                <div key={fact.key}>
                  <dt>{fact.key}</dt>
                  <dd><Value text={fact.value} /></dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </div>
  )
}

const LONG = 240

/** Long lists fold up; the search finds what is in them all the same. */
function Value({ text }: { text: string }) {
  if (text === '') return <>–</>
  if (text.length <= LONG) return <>{text}</>
  return (
    <details>
      <summary>{text.slice(0, LONG / 2)} …</summary>
      {text}
    </details>
  )
}
