#!/bin/sh
# Write .env beside docker-compose.yml with fresh secrets; refuse to replace one.
set -eu
cd "$(dirname "$0")/.."

hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

umask 077
set -C
cat > "${1:-.env}" <<END
POSTGRES_PASSWORD=$(hex 24)
VALKEY_PASSWORD=$(hex 24)
GARAGE_RPC_SECRET=$(hex 32)
S3_ACCESS_KEY_ID=GK$(hex 12)
S3_SECRET_ACCESS_KEY=$(hex 32)
MYRIAD_SECRET=$(hex 32)
MYRIAD_WEBHOOK_SECRET=whsec_$(head -c 32 /dev/urandom | base64 | tr -d '\n')
END
