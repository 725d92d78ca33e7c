/** Loads the page that the address names, and says so when that fails. */
import { useEffect, useState } from 'preact/hooks'
import type { ComponentType } from 'preact'
import { pages } from '../pages'
import type { PageProps } from './page'
import { Failure, Notice } from './notices'
import { t } from './shell-words'

const loaded = new Map<string, ComponentType<PageProps>>()

export function PageSlot({ page, run }: { page: string; run: string }) {
  const [, redraw] = useState(0)
  const [error, setError] = useState<unknown>(null)
  const entry = Object.hasOwn(pages, page) ? pages[page] : undefined
  const misplaced = entry && (entry.of === 'run') !== (run !== '')
  const load = () => {
    setError(null)
    entry?.load().then((module) => {
      loaded.set(page, module.default)
      redraw((n) => n + 1)
    }, setError)
  }
  useEffect(() => {
    if (!misplaced && !loaded.has(page)) load()
  }, [page])
  if (!entry || misplaced) return <Notice title={t('notThere')}>{t('notThereSays')}</Notice>
  if (error) return <Failure error={error} again={load} />
  const Page = loaded.get(page)
  return Page ? <Page key={run} run={run} /> : <p class="waiting">{t('loading')}</p>
}
