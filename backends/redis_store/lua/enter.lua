-- KEYS: meta owners   ARGV: run shift owner lease-ms identity
if restarted() then return 'RESTARTED' end
call('HSET', KEYS[2], ARGV[3], bytes(now() + ARGV[4]) .. ARGV[5])
return 'OK'
