-- Reads all slots that have not ended.
-- KEYS 1 {interviews}:active   2 {interviews}:ready
-- Returns { ready, now (ms), { id, end (ms), … } }
purge(ACTIVE)
return { call('EXISTS', KEYS[2]), ms(now), call('ZRANGE', ACTIVE, 0, -1, 'WITHSCORES') }
