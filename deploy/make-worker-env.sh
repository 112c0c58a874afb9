#!/bin/sh
# Print deploy/.env for a machine of workers, from this machine's .env. ADDRESS is where that
# machine reaches this one. The secrets of web and sender are not in it.
set -eu
address=${1:?usage: sh deploy/make-worker-env.sh ADDRESS}
cd "$(dirname "$0")/.."
env=${2:-.env}

value() { sed -n "s/^$1=//p" "$env" | tail -n 1; }

cat <<END
MYRIAD_DATABASE_URL=postgresql+psycopg://myriad:$(value POSTGRES_PASSWORD)@$address:5432/myriad
MYRIAD_REDIS_URL=redis://:$(value VALKEY_PASSWORD)@$address:6379/0
MYRIAD_STORAGE_URL=s3://myriad
MYRIAD_S3_ENDPOINT_URL=http://$address:3900
MYRIAD_S3_REGION=garage
AWS_ACCESS_KEY_ID=$(value S3_ACCESS_KEY_ID)
AWS_SECRET_ACCESS_KEY=$(value S3_SECRET_ACCESS_KEY)
END
# Every further setting as it is here; files of this folder are seen from deploy/ there.
grep -E '^(MYRIAD|HF|PIP|TORCH)_' "$env" \
    | grep -vE '^MYRIAD_([A-Z0-9_]*SECRET|BIND|PRIVATE_ADDRESS|PUBLIC_URL|S3_PUBLIC_ENDPOINT_URL)=' \
    | sed -E 's#^(MYRIAD_(POOLS_FILE|CATALOG_FILE|MODELS|CONTENT)=)\./#\1../#' || true
