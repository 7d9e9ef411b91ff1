using Bellhop.Features.Accounts;
using FluentValidation;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class PasswordRulesTests
{
    [Theory]
    [InlineData("elevenchars")]
    [InlineData("")]
    [InlineData("qazwsxedcrfv")]
    [InlineData("PASSWORD1234")]
    [InlineData("!!password!!2026")]
    public void What_is_short_or_common_is_refused_and_not_repeated(string password)
    {
        var result = new Check().Validate(new Form(password));
        Assert.False(result.IsValid);
        Assert.All(
            result.Errors,
            error =>
                Assert.True(password.Length == 0 || !error.ErrorMessage.Contains(password, StringComparison.Ordinal))
        );
    }

    [Theory]
    [InlineData("            ")] // twelve spaces: no composition is demanded
    [InlineData("only lower case letters")]
    [InlineData("пароль как пароль")]
    [InlineData("🐴🔋📎✅🐴🔋📎✅")]
    public void Anything_else_may_be_a_password(string password) =>
        Assert.True(new Check().Validate(new Form(password)).IsValid);

    [Fact]
    public void A_thousand_characters_are_allowed_and_no_more_bytes_than_four_thousand()
    {
        Assert.True(new Check().Validate(new Form(new string('x', 1024))).IsValid);
        Assert.False(new Check().Validate(new Form(new string('x', 1025))).IsValid);
        Assert.True(new Check().Validate(new Form(new string('語', 1024))).IsValid);
    }

    [Theory]
    [InlineData("Ada.Lovelace@Example.com", "ada.lovelace@example.COM", true)]
    [InlineData("ada.lovelace@example.com", "ADA.LOVELACE", true)]
    [InlineData("ada.lovelace@example.com", "ada.lovelace!", false)]
    public void The_address_is_no_password(string email, string password, bool isRefused)
    {
        var problem = PasswordRules.FaultFor(email, password, "/password");

        Assert.Equal(isRefused ? "/password" : null, problem?.Errors[0].Pointer);
    }

    private sealed record Form(string Password);

    private sealed class Check : AbstractValidator<Form>
    {
        public Check() => RuleFor(form => form.Password).IsNewPassword();
    }
}
