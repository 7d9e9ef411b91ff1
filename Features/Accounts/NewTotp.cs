using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>The secret of a second factor, shown once.</summary>
/// <param name="Secret">To be typed, in base32.</param>
/// <param name="Uri">The same for a QR code: <c>otpauth://…</c>.</param>
public sealed record NewTotp([property: MaxLength(63)] string Secret, [property: MaxLength(1_000)] string Uri)
    : IExampled<NewTotp>
{
    public static NewTotp Example =>
        new(
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "otpauth://totp/Bellhop:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Bellhop"
        );

    public override string ToString() => "a new second factor";
}

/// <summary>What stands in for a lost authenticator, shown once.</summary>
/// <param name="RecoveryCodes">Each works once, in place of a code.</param>
public sealed record NewRecoveryCodes(
    [property: MaxLength(SecondFactor.RecoveryCodes), Each(63)] IReadOnlyList<string> RecoveryCodes
) : IExampled<NewRecoveryCodes>
{
    public static NewRecoveryCodes Example => new(["7k3m-q9wd-2h5x-v8tc", "n4r6-yb1p-0zjf-gs3e"]);

    public override string ToString() => "recovery codes";
}
