# A mailbox in Exchange Online for an account on the premises. Safe to repeat; 75 means "try again later".
param(
    [Parameter(Mandatory)] [ValidatePattern('^[a-z0-9._-]+$')] [string] $Identity,
    [Parameter(Mandatory)] [ValidatePattern('^[a-z0-9._-]+@[a-z0-9.-]+$')] [string] $RemoteRoutingAddress
)
$ErrorActionPreference = 'Stop'
try {
    $session = New-PSSession -ConfigurationName Microsoft.Exchange -Authentication Kerberos `
        -ConnectionUri "http://$($env:EXCHANGE_HOST)/PowerShell/"
    Import-PSSession $session -CommandName Get-RemoteMailbox, Enable-RemoteMailbox, Get-User -AllowClobber | Out-Null
} catch {
    Write-Output "Exchange cannot be reached: $($_.Exception.Message)"
    exit 75
}
try {
    if (-not (Get-User -Identity $Identity -ErrorAction SilentlyContinue)) {
        Write-Output 'Exchange does not know the account yet'
        exit 75
    }
    if (Get-RemoteMailbox -Identity $Identity -ErrorAction SilentlyContinue) {
        Write-Output 'has a mailbox already'
        exit 0
    }
    Enable-RemoteMailbox -Identity $Identity -RemoteRoutingAddress $RemoteRoutingAddress | Out-Null
    Write-Output 'mailbox enabled'
    exit 0
} catch {
    Write-Output $_.Exception.Message
    exit 1
} finally {
    Remove-PSSession $session
}
