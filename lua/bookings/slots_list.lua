-- Reads a page of the slots that have not ended.
-- KEYS 1 {interviews}:active   2 {interviews}:ready
-- ARGV 1 how many come before it   2 how many it has at most
-- Returns { ready, now (ms), { id, end (ms), … } }
purge(ACTIVE)
return { call('EXISTS', KEYS[2]), ms(now), call('ZRANGE', ACTIVE, ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES') }
