-- Sets or clears one timer of a scope.
-- KEYS 1 scope:due
-- ARGV 1 timer and subject   2 ms until it is due, or '' to clear it
-- Returns { ms until it is due or -1 }
-- Safe to repeat by itself: the timer is then due that much later.
clock()
due_open(KEYS[1])
if ARGV[2] == '' then return { due_clear(ARGV[1]) } end
return { due_at(ARGV[1], now + ARGV[2]) }
